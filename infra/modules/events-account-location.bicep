// The region of a storage account, which its system topic has to have. A module of its own, since a resource's region
// has to be known when its deployment starts: that of another resource is, once it is a parameter.
targetScope = 'resourceGroup'

@description('Name of the storage account, in the resource group that this module is deployed into.')
param accountName string

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName
}

@description('Region of the account.')
output location string = account.location
