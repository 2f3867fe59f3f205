// A user-assigned identity. It outlives the resources that use it, so its roles stay when the app is made anew.

@description('Name of the identity.')
@minLength(3)
@maxLength(128)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id.')
output id string = identity.id

@description('Client id, by which the app asks for its tokens.')
output clientId string = identity.properties.clientId

@description('Object id, to which roles are assigned.')
output principalId string = identity.properties.principalId
