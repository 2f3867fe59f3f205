// The monitor's roles on one registry.
targetScope = 'resourceGroup'

@description('Name of the registry.')
param registryName string

@description('Object id of the identity that is to read.')
param principalId string

@description('What the identity is.')
@allowed(['ServicePrincipal', 'Group', 'User'])
param principalType string

@description('Id of the role that reads settings, pipelines and runs.')
param readerRoleId string

@description('How artifacts are read: "Registry" through AcrPull, "Repository" where only repository permissions count, "None" not at all.')
@allowed(['Registry', 'Repository', 'None'])
param pull string

var roles = loadJsonContent('../role-ids.json')

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource readsSettings 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, principalId, readerRoleId)
  scope: registry
  properties: {
    roleDefinitionId: readerRoleId
    principalId: principalId
    principalType: principalType
    description: 'ACR Transfer Monitor: reads the registry, its pipelines and its runs.'
  }
}

resource pullsArtifacts 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (pull == 'Registry') {
  name: guid(registry.id, principalId, roles.acrPull.id)
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPull.id)
    principalId: principalId
    principalType: principalType
    description: 'ACR Transfer Monitor: checks which tags, manifests and layers are there.'
  }
}

resource readsRepositories 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (pull == 'Repository') {
  name: guid(registry.id, principalId, roles.containerRegistryRepositoryReader.id)
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.containerRegistryRepositoryReader.id)
    principalId: principalId
    principalType: principalType
    description: 'ACR Transfer Monitor: checks which tags, manifests and layers are there, by repository permissions.'
  }
}

resource listsRepositories 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (pull == 'Repository') {
  name: guid(registry.id, principalId, roles.containerRegistryRepositoryCatalogLister.id)
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.containerRegistryRepositoryCatalogLister.id)
    principalId: principalId
    principalType: principalType
    description: 'ACR Transfer Monitor: lists repositories, to suggest close names for one that is missing.'
  }
}
